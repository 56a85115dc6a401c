"""Who serves: the registry, the policy, the ledger of promotions, and what people read about a model."""
