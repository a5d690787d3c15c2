"""The machine's facts: plain data, found without importing heavy packages."""

import json
import subprocess
import sys

from genrec import machine


def test_facts_are_json():
    facts = json.loads(json.dumps(machine.describe()))
    assert facts["machine"]["cores"] >= 1
    assert facts["machine"]["cpu"]
    assert isinstance(facts["machine"]["gpu"], list)


def test_versions_leave_out_what_is_not_installed():
    assert set(machine.versions(("numpy", "no-such-package-anywhere"))) == {"numpy"}


def test_torch_is_not_imported_for_its_version():
    code = "import sys; from genrec import machine; machine.describe(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
