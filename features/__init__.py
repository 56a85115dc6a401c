"""Point-in-time features from mood, sleep and wearable streams. Pure: tables in, tables out; never sees a label."""
