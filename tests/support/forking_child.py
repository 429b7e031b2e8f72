"""A parser child that has a child of its own and then hangs."""

import os
import time

if __name__ == "__main__":
    os.fork()
    time.sleep(60)
