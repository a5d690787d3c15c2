"""The public data sets beside the repository, where they are: the counts are those of their papers or file lengths."""

import pytest

from genrec.formats import detect, read

COUNTS = {
    "amazon-beauty": ("sequences", 198_502, 22_363, 12_101),
    "amazon-games": ("recbole", 440_264, 50_546, 16_859),
    "amazon-sports": ("sequences", 296_337, 35_598, 18_357),
    "ml-100k": ("movielens", 100_000, 943, 1_682),
    "ml-1m": ("movielens", 1_000_209, 6_040, 3_883),
    "ml-latest-small": ("movielens", 100_004, 671, 9_125),
    "movietweetings": ("movietweetings", 100_000, 16_554, 10_506),
    "yelp": ("sequences", 316_354, 30_431, 20_033),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_the_known_ones(shared, name):
    folder = shared(f"data/{name}")
    format, events, users, items = COUNTS[name]
    assert detect(folder) == format
    data = read(folder)
    assert (len(data.interactions), len(data.interactions.users), len(data.catalog)) == (events, users, items)
    assert data.report.ok
    assert data.report.facts["items_not_in_catalog"] == 0
