"""SAR to NDVI, Hualien 2024: windows of local statistics, sizes of chips, and what NDVI radar can tell."""
