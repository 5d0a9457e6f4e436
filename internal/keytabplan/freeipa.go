package keytabplan

var freeIPA = system{name: "freeipa", title: "FreeIPA", tried: notTried,
	notes: func(r Request) []string {
		return []string{
			"ipa-getkeytab makes new keys every time it is run without -r, and every keytab before is then worthless. Further nodes of idp get a copy of the file.",
			"A service needs its host in FreeIPA. If " + r.Host + " is none yet: " + command("ipa", "host-add", r.Host, "--force"),
		}
	},
	setup: func(r Request) []Step {
		add := []string{command("kinit", "admin@"+r.Realm), command("ipa", "service-add", r.spns()[0])}
		if len(r.Also) > 0 {
			add = append(add, command(append([]string{"ipa", "service-add-principal"}, r.spns()...)...))
		}
		return append([]Step{
			{Where: onHost, Why: "Make the service, and its keys in a new file.", Commands: append(append(add, fresh(r.newKeytab())...), r.getkeytab(), "kdestroy")},
			r.install(),
		}, r.look()...)
	},
	rollover: func(r Request) []Step {
		commands := []string{"umask 077", command("cp", "-f", r.Keytab, r.newKeytab()), command("kinit", "admin@"+r.Realm), r.getkeytab(), "kdestroy"}
		steps := append([]Step{
			{Where: onHost, Why: "ipa-getkeytab adds the new version to the copy of the old. It takes a moment only.", Commands: append(commands, r.installCommands(r.newKeytab())...)},
		}, r.look()...)
		return append(steps,
			Step{Where: onHost, Why: "See how long tickets live (Max life, in seconds).", Commands: []string{command("kinit", "admin@"+r.Realm), command("ipa", "krbtpolicy-show"), "kdestroy"}},
			Step{Where: onHost, Kind: Wait, Why: "When that time has passed, write the current version alone (-r makes no new one).", Commands: r.retrieve(fresh(r.newKeytab())...)})
	},
	refresh: func(r Request) []Step {
		return append([]Step{
			{Where: onHost, Why: "Add the current version (-r makes no new one) to a copy of the keytab.",
				Commands: r.retrieve("umask 077", command("cp", "-f", r.Keytab, r.newKeytab()))},
		}, r.look()...)
	},
}

// retrieve writes the current version into a file, and brings that into place.
func (r *Request) retrieve(begin ...string) []string {
	commands := append(begin, command("kinit", "admin@"+r.Realm),
		command("ipa", "service-allow-retrieve-keytab", r.spns()[0], "--users=admin"), r.getkeytab("-r"),
		command("ipa", "service-disallow-retrieve-keytab", r.spns()[0], "--users=admin"), "kdestroy")
	return append(commands, r.installCommands(r.newKeytab())...)
}

func (r *Request) getkeytab(more ...string) string {
	return command(append([]string{"ipa-getkeytab", "-p", r.spns()[0], "-k", r.newKeytab(), "-e", "aes256-cts,aes128-cts"}, more...)...)
}
