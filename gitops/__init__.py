"""The rules: what a GitOps repository means. No I/O and no framework here; the standard library and YAML only."""
