"""Programs that serve a bundle over HTTP. Import genrec and nothing of training; the bundle is all they know of it."""
