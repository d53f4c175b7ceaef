"""The supervisor: observe, reconcile, execute; level-triggered, woken by events or by the clock."""
