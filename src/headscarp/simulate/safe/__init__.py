"""A simulated event as Sentinel-1 GRD products, on the annotation of a real one."""
