"""The floor: types, protocols, registry, seeds, errors, version. Imports numpy and nothing heavier."""
