#!/usr/bin/env python3
"""Opens every part of a record file as its readers would, in one line each: h5py, pandas, xarray (docs/results.md).

The packages come with `./dev test`, into .venv; without them the test says so and counts as skipped (exit code 77). What
the file holds is compared with what the same run prints as JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv/bin/python"
SKIPPED = 77

try:
    import h5py
    import numpy as np
    import pandas as pd
    import xarray as xr
    import h5netcdf  # noqa: F401  (xarray's engine)
except ImportError as problem:
    if VENV.exists() and Path(sys.prefix).resolve() != VENV.parents[1].resolve():
        os.execv(VENV, [str(VENV), *sys.argv])
    print(f"skipped: {problem}; ./dev test installs h5py, pandas, xarray and h5netcdf into .venv")
    sys.exit(SKIPPED)

PROGRAM = None


class Records(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="podwire-")
        command = [PROGRAM, "run", "scenarios/three-tier", "-p", "complete", "--quiet", "--record", cls.scratch.name]
        done = subprocess.run([*command, "-o", "json"], cwd=ROOT, check=True, capture_output=True, timeout=300)
        cls.said = json.loads(done.stdout)
        cls.path = Path(cls.scratch.name) / "complete-seed1.h5"

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_h5py_opens_every_part(self):
        with h5py.File(self.path) as run:
            seen = []

            def look(name, part):
                if isinstance(part, h5py.Dataset):
                    self.assertEqual(part[()].shape, part.shape, name)
                    seen.append(name)

            run.visititems(look)
            for part in ("provenance", "summary", "drops", "packets", "reachability", "requests/arrived",
                         "objects/pods", "objects/workloads", "objects/links", "histograms/dns", "histograms/connect",
                         "histograms/total", "series/network/time", "series/workloads/failed"):
                self.assertIn(part, seen)
            self.assertTrue(run.attrs["complete"])
            self.assertIn("three-tier", json.dumps(json.loads(run["provenance"][()])))

    def test_pandas_reads_requests_as_a_frame(self):
        with h5py.File(self.path) as run:
            requests = pd.DataFrame({name: column[:] for name, column in run["requests"].items()})
            names = [name.decode() for name in run["objects/workloads"][:]["name"]]
        workloads = {w["name"]: w["requests"] for w in self.said["runs"][0]["workloads"]}
        counted = requests.groupby("workload").size()
        self.assertEqual({names[row]: int(count) for row, count in counted.items()}, workloads)

    def test_pandas_reads_each_table(self):
        with h5py.File(self.path) as run:
            for name in ("summary", "drops", "packets", "reachability", "histograms/total"):
                frame = pd.DataFrame(run[name][:])
                self.assertGreater(len(frame.columns), 1, name)
            reachability = pd.DataFrame(run["reachability"][:])
        self.assertEqual(len(reachability), len(self.said["runs"][0].get("reachability", self.said.get("reachability"))))

    def test_xarray_opens_the_series_with_their_dimensions(self):
        for group, variable in (("series/network", "packets_sent"), ("series/workloads", "failed")):
            with xr.open_dataset(self.path, group=group, engine="h5netcdf") as series:
                self.assertIn("time", series.dims)
                self.assertIn(variable, series)
                self.assertEqual(series["time"].dtype, np.float64)  # seconds stay a number
                self.assertEqual(series["time"].attrs["units"], "s")
                self.assertGreater(series.sizes["time"], 10)

    def test_series_and_requests_count_the_same(self):
        """What arrived in all intervals is what was asked, warm-up and drain included: at least the counted requests."""
        with xr.open_dataset(self.path, group="series/workloads", engine="h5netcdf") as series:
            arrived = series["arrived"].sum("time").values
        with h5py.File(self.path) as run:
            counted = np.bincount(run["requests/workload"][:], minlength=len(arrived))
        self.assertTrue((arrived >= counted).all(), f"{arrived} {counted}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=str(ROOT / "build/release/bin"), help="the folder of the program under test")
    options = parser.parse_args()
    PROGRAM = os.path.join(options.bin, "podwire")
    sys.exit(not unittest.main(argv=sys.argv[:1], exit=False).result.wasSuccessful())
