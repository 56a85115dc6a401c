"""The door of the lake: rows of a delivery go in as typed, checked, versioned rows, or into quarantine; or nothing does.

In the order of a delivery's way: `intake` leads it, `staging` and `typed` check each batch by `rules` and `policy`,
`settling` looks at the delivery as a whole, `spans` finds what must be compared, `versions` compares it.
"""
