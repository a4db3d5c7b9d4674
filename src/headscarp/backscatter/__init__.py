"""From Sentinel-1 GRD products to terrain-corrected backscatter."""
