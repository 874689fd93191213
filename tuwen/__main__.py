"""`python -m tuwen`, and with several processes `accelerate launch --module tuwen`."""

from tuwen.cli.app import main

if __name__ == "__main__":
    main()
