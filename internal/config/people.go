package config

// passwords and smtp check the sections of local users.

func (k *checks) passwords() {
	if err := k.c.Passwords.CheckLength(); err != nil {
		k.add("$.passwords.min_length", err.Error(), "15 where a password is all that people show; 8 where a second factor is always asked for, too")
	}
	k.file("$.passwords.blocklist_file", k.c.Passwords.BlocklistFile)
}

func (k *checks) smtp() {
	for _, p := range k.c.SMTP.Problems() {
		k.add("$.smtp."+p.Key, p.Text, p.Hint)
	}
	k.file("$.smtp.password_file", k.c.SMTP.PasswordFile)
	k.file("$.smtp.ca_file", k.c.SMTP.CAFile)
}
