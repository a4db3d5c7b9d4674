"""Sen12Landslides, Hokkaido: U-Net, Attention U-Net and a ConvLSTM U-Net on identical splits."""
