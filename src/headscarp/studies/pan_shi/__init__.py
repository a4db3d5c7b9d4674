"""Pan & Shi (2023): ascending and descending time series fused, DPPA-UNet against U-Net and SegNet."""
