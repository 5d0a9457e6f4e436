package keytabplan

import (
	"path/filepath"
	"strings"
)

// The encryption types, as MIT's tools and idp write them. Those of RFC 8009
// would do too, but Windows and older Java know these only.
const aesTypes = "aes256-cts-hmac-sha1-96:normal,aes128-cts-hmac-sha1-96:normal"

// newKeytab is what the file is called until it is complete.
func (r *Request) newKeytab() string { return r.Keytab + ".new" }

// addKeytab holds a roll-over's new version alone.
func (r *Request) addKeytab() string { return r.Keytab + ".add" }

// localKeytab is the file on the host that makes it, in the current folder.
func (r *Request) localKeytab() string { return "./" + filepath.Base(r.newKeytab()) }

// transfer brings the file to idp's host, and removes it here once it is there.
func (r *Request) transfer(from Where, to string) Step {
	return Step{Where: from, Kind: Transfer,
		Why:      "Take the keytab to the host of idp by a way nobody can read: whoever has it can log in as anybody. Leave no copy here.",
		Commands: []string{chain(command("scp", "-p", r.localKeytab(), "root@"+r.Host+":"+to), command("rm", "-f", r.localKeytab()))},
		OneHost:  []string{command("mv", "-f", r.localKeytab(), to)}}
}

// install gives the file to idp's user alone and renames it into its place, so
// that idp never reads half of one.
func (r *Request) install() Step {
	return Step{Where: onHost, Why: "Give it to idp alone (here the user " + r.Owner + "; --owner names another) and rename it into its place. idp sees the new file within seconds, without a restart.",
		Commands: r.installCommands(r.newKeytab())}
}

func (r *Request) installCommands(from string) []string {
	return []string{chain(command("chown", r.Owner+":", from), command("chmod", "0400", from), command("mv", "-f", from, r.Keytab))}
}

// chain makes one line of commands that each need the one before: whoever pastes
// a step goes on after a line that failed.
func chain(commands ...string) string { return strings.Join(commands, " && ") }

// look shows what is there now.
func (r *Request) look() []Step {
	idp := func(what string) string {
		if r.Config == "" {
			return command("idp", what)
		}
		return command("idp", what, "--config", r.Config)
	}
	return []Step{
		{Where: asIdp, Why: "Look: " + strings.Join(r.spns(), " and ") + " with aes256, and nothing that warns.",
			Commands: []string{command("klist", "-kte", r.Keytab), idp("check")}},
		{Where: asIdp, Kind: Diagnose, Why: "The rest: DNS, clocks, the key version in the directory against the keytab.",
			Commands: []string{idp("doctor")}},
	}
}

// fresh makes sure that an export begins a new file, for most add to an old one,
// and that nobody else can read it.
func fresh(file string) []string { return []string{"umask 077", command("rm", "-f", file)} }

// merge puts what the keytab has and what was exported into one file, by MIT's
// ktutil, whose exit status tells nothing: so both files are read before, for one
// that cannot be read would be missing in the new one.
func (r *Request) merge() Step {
	lines := []string{"rkt " + ktutil(r.Keytab), "rkt " + ktutil(r.addKeytab()), "wkt " + ktutil(r.newKeytab())}
	commands := append(fresh(r.newKeytab()),
		command("chmod", "0600", r.addKeytab()),
		chain(r.readable(r.Keytab), r.readable(r.addKeytab()), command(append([]string{"printf", `%s\n`}, lines...)...)+" | ktutil"))
	return Step{Where: onHost, Why: "Put the new version beside the old ones into one file (MIT's ktutil, of krb5-user), so that tickets made with those go on working, and give it to " + r.Owner + " alone (--owner names another).",
		Commands: append(commands, r.installCommands(r.newKeytab())...)}
}

func (r *Request) readable(keytab string) string {
	return command("klist", "-k", keytab) + " >/dev/null"
}

// add merges what was exported into the keytab.
func (r *Request) add(from Where) []Step {
	merge := r.merge()
	last := len(merge.Commands) - 1
	merge.Commands[last] = chain(merge.Commands[last], command("rm", "-f", r.addKeytab()))
	return []Step{r.transfer(from, r.addKeytab()), merge}
}

// onlyNew ends a roll-over that was merged: the new version stays alone.
func (r *Request) onlyNew(life string) Step {
	return Step{Where: onHost, Kind: Wait, Why: "When the last ticket made with the old key has ended (" + life + "), take the old version out.",
		Commands: r.installCommands(r.addKeytab())}
}

// gap is what every roll-over says.
const gap = "Whoever has a ticket already notices nothing. From the moment the directory has the new key until the file is in its place, " +
	"people who come with a new ticket are refused (KVNO_MISMATCH) and get the page or the prompt: do the steps up to there without a pause."

// behind is what every refresh says.
const behind = "For KVNO_MISMATCH: somebody set the account's password or made it a new key, and nobody exported that. The old entries stay in the keytab, " +
	"for people still have tickets made with them; the next roll-over takes them out."

// nameNote says what a name in the plan stands for.
func nameNote(r Request) string {
	if r.Host == "localhost" || strings.HasSuffix(r.Host, ".localhost") {
		return "The issuer is " + r.Host + ": fine for trying out on one computer, for each computer is its own localhost."
	}
	return "HTTP/ is right for https, too, and there is never a port in it. Where " + r.Host +
		" is a CNAME, Chrome and Edge ask for its target's name: add that with --also."
}
