"""Studies: many runs behind one results table, from a YAML file to a report.

plan.py says what a study is, study_file.py reads one, ledger.py knows what is done, outcomes.py
reads the runs' results, significance.py tells a difference from noise, pages.py and charts.py write
the report.
"""
