import hypothesis

hypothesis.settings.register_profile("unhurried", deadline=None)  # the machine is shared
hypothesis.settings.load_profile("unhurried")
