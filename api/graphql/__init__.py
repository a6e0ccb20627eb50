"""The schema, one file per noun: types made by a thin `of(model)`, queries, mutations, subscriptions. No rules here."""
