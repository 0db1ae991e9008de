"""The cluster file is one that `ray up` takes."""

from pathlib import Path

import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

FILE = Path(__file__).resolve().parents[2] / "launch" / "cluster" / "on_premise.yaml"


def test_the_cluster_file_fits_rays_schema():
    """Checked by what `ray up` checks with; tokens are on, reports and dashboard off, on head and workers."""
    config = prepare_config(yaml.safe_load(FILE.read_text()))
    validate_config(config)
    commands = [config["head_start_ray_commands"][-1], config["worker_start_ray_commands"][-1]]
    for command in commands:
        assert "RAY_AUTH_MODE=token" in command
        assert "RAY_USAGE_STATS_ENABLED=0" in command
    assert "--include-dashboard=false" in commands[0]
