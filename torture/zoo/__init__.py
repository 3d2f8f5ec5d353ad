"""The bug zoo: bugs that operators really had, each planted in turn to see that tests named for it turn red."""
