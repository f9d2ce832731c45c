"""One script for each question; ``python -m benchmarks.studies.NAME --help`` lists its options."""
