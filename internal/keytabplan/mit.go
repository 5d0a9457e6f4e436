package keytabplan

// mit: kadmin.local's commands as arguments, for only then its exit status tells
// of a failure.
var mit = system{name: "mit", title: "MIT Kerberos", tried: triedByTests,
	setup: func(r Request) []Step {
		var commands []string
		for _, p := range r.principals() {
			commands = append(commands, command("kadmin.local", "-r", r.Realm, "addprinc", "-randkey", "-e", aesTypes, p))
		}
		return append([]Step{
			{Where: onKDC, Why: "Make the principal, with a random key of each AES type.", Commands: commands},
			r.mitExport("Write its keys to a new file. -norandkey: without it ktadd makes other keys, and every keytab before is worthless."),
			r.transfer(onKDC, r.newKeytab()), r.install(),
		}, r.look()...)
	},
	rollover: func(r Request) []Step {
		var change, purge []string
		for _, p := range r.principals() {
			change = append(change, command("kadmin.local", "-r", r.Realm, "cpw", "-randkey", "-keepold", "-e", aesTypes, p))
			purge = append(purge, command("kadmin.local", "-r", r.Realm, "purgekeys", p))
		}
		steps := []Step{{Where: onKDC, Why: "Make a new key version and keep the old one.", Commands: change}, r.mitExport("Write both versions to a new file.")}
		steps = append(append(steps, r.add(onKDC)...), r.look()...)
		return append(steps,
			Step{Where: onKDC, Why: "See how long tickets live (Maximum ticket life; also max_life in kdc.conf, by default a day).",
				Commands: []string{command("kadmin.local", "-r", r.Realm, "getprinc", "krbtgt/"+r.Realm+"@"+r.Realm)}},
			Step{Where: onKDC, Kind: Wait, Why: "When that time has passed, take the old version out of the database, and go on at once.", Commands: purge},
			r.mitExport("Write what is left, and bring it into place as before."),
			r.transfer(onKDC, r.newKeytab()), r.install())
	},
	refresh: func(r Request) []Step {
		steps := append([]Step{r.mitExport("Write the present keys to a new file. -norandkey: without it ktadd makes other keys once more.")}, r.add(onKDC)...)
		return append(steps, r.look()...)
	},
}

func (r *Request) mitExport(why string) Step {
	ktadd := append([]string{"kadmin.local", "-r", r.Realm, "ktadd", "-norandkey", "-k", r.localKeytab()}, r.principals()...)
	return Step{Where: onKDC, Why: why, Commands: append(fresh(r.localKeytab()), command(ktadd...))}
}
