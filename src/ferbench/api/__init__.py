"""ferbench for notebooks: `import ferbench`, then train, draw and measure as the commands do.

Every value stands in conf/, as for the command line. A keyword is a key of the command; one with
dots is given as `**{"train.epochs": 2}`, and what is left out has the value of conf/. A run has the
same folder as from the command line, so a call that was made before returns at once, and one that
was stopped (KeyboardInterrupt) goes on when it is made again. A mistake raises `UserError` with the
line that the command line would print.

Values are text, numbers, True, False, None, a path, or what one of these functions returned, which
stands for the place where it is: `measure_fidelity(set=draw_set(n=700), data="toy")`.

What is heavy is imported where a function needs it, so that `import ferbench` takes no time.
"""
