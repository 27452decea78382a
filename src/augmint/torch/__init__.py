"""Augmentation inside a PyTorch training loop: a module for batches of features, a data set with minted rows."""

from augmint.torch.augmented_dataset import AugmentedDataset
from augmint.torch.feature_augment import FeatureAugment

__all__ = ["AugmentedDataset", "FeatureAugment"]
