"""Routes, one file per noun. Each says which scope opens it; none works by itself."""
