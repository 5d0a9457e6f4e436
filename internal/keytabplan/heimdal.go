package keytabplan

var heimdal = system{name: "heimdal", title: "Heimdal", tried: "Not run by our tests; typed once by hand, with Heimdal 7.8, but for the merging of versions.",
	notes: func(Request) []string {
		return []string{"On Debian the command is kadmin.heimdal where MIT's tools are installed, too."}
	},
	setup: func(r Request) []Step {
		var commands []string
		for _, p := range r.principals() {
			commands = append(commands, command("kadmin", "-l", "-r", r.Realm, "add", "--random-key", "--use-defaults", p), r.heimdalAES(p))
		}
		return append([]Step{
			{Where: onKDC, Why: "Make the principal with random keys, and take away those that are not AES.", Commands: commands},
			r.heimdalExport("Write its keys to a new file."),
			r.transfer(onKDC, r.newKeytab()), r.install(),
		}, r.look()...)
	},
	rollover: func(r Request) []Step {
		var change []string
		for _, p := range r.principals() {
			change = append(change, command("kadmin", "-l", "-r", r.Realm, "passwd", "--keepold", "--random-key", p), r.heimdalAES(p))
		}
		steps := append([]Step{
			{Where: onKDC, Why: "Make a new key version and keep the old one.", Commands: change},
			r.heimdalExport("Write both versions to a new file."),
		}, r.heimdalAdd()...)
		return append(steps,
			Step{Where: onKDC, Why: "See how long tickets live (Max ticket life).", Commands: []string{command("kadmin", "-l", "-r", r.Realm, "get", "krbtgt/"+r.Realm+"@"+r.Realm)}},
			Step{Where: onHost, Kind: Wait, Why: "When that time has passed, a day later, take the old version out of the file (Heimdal's ktutil). The KDC makes no tickets with it.",
				Commands: append([]string{
					"umask 077",
					command("cp", "-f", r.Keytab, r.newKeytab()),
					command("ktutil", "-k", r.newKeytab(), "purge", "--age=1 day"),
				}, r.installCommands(r.newKeytab())...)})
	},
	refresh: func(r Request) []Step {
		return append([]Step{r.heimdalExport("Write the present keys to a new file.")}, r.heimdalAdd()...)
	},
}

// heimdalAdd puts what was exported beside what the keytab has.
func (r *Request) heimdalAdd() []Step {
	copied := []string{"umask 077", chain(
		command("cp", "-f", r.Keytab, r.newKeytab()), command("ktutil", "copy", r.addKeytab(), r.newKeytab()), command("rm", "-f", r.addKeytab()))}
	return append([]Step{
		r.transfer(onKDC, r.addKeytab()),
		{Where: onHost, Why: "Add it to a copy of the keytab (Heimdal's ktutil), so that tickets made with the old keys go on working, and give that to " + r.Owner + " alone (--owner names another).",
			Commands: append(copied, r.installCommands(r.newKeytab())...)},
	}, r.look()...)
}

func (r *Request) heimdalAES(principal string) string {
	return command("kadmin", "-l", "-r", r.Realm, "del_enctype", principal, "des3-cbc-sha1", "arcfour-hmac-md5")
}

func (r *Request) heimdalExport(why string) Step {
	return Step{Where: onKDC, Why: why, Commands: append(fresh(r.localKeytab()),
		command(append([]string{"kadmin", "-l", "-r", r.Realm, "ext_keytab", "--keytab=" + r.localKeytab()}, r.principals()...)...))}
}
