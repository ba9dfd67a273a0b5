"""What every part of the project uses: files, secrets, processes, HTTP and clocks."""
