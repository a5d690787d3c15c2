"""The contract's assertions explain themselves like those of a test file."""

import pytest

pytest.register_assert_rewrite("tests.decoding.contract")
