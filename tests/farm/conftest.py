"""A stand-in for Blender, and an S3 server."""

from s3_runs import alone, job, out, running, server  # noqa: F401
from stand_in import fake_blender  # noqa: F401
