"""The commands of kumactl, one module each."""
