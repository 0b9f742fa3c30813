"""What is tested: enrolment, git source, rendered compose files, versions."""
