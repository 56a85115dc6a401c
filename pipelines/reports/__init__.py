"""Reports as self-contained HTML pages: fairness, model, night, and the index that links them.

Each page works offline and printed: style and plots are inside, there is no script. Nothing here computes a result;
each module turns results into words, tables and plots, and one template shows them.
"""
