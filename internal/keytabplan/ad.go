package keytabplan

import "path/filepath"

// adLife is Active Directory's default domain policy.
const adLife = "10 hours, unless the policy \"Maximum lifetime for service ticket\" says more"

var activeDirectory = system{name: "ad", title: "Active Directory, on Windows", tried: notTried,
	notes: func(r Request) []string {
		return []string{
			"ktpass sets the account's password and so raises its key version: every keytab made before is then worthless. Run it once, and guard the file. Whoever resets the password later, or runs ktpass again, does a roll-over.",
			"/mapuser adds the SPN to the account and also makes it the account's user principal name (UPN). The AES keys are salted with that name, so do not rename it afterwards.",
			"Domain controllers take RC4 for such accounts no more, since the updates of 2026: a keytab of RC4 alone stops working. Here is AES only; ktpass writes one type a run, and AES256 is the one that a KDC then uses.",
			"An SPN may be on one account only. setspn -S refuses one that is taken, and says by whom.",
			"/ptype KRB5_NT_PRINCIPAL is right for a service that is a user account.",
		}
	},
	setup: func(r Request) []Step {
		account := powershell(r.Account)
		steps := []Step{
			{Where: onWindows, Why: "Is the SPN taken? It must not be found.", Commands: r.setspn("-Q", "")},
			{Where: onWindows, Why: "Make the account, with AES types only. It is disabled until it has a password.", Commands: []string{
				"Import-Module ActiveDirectory",
				"New-ADUser -Name " + account + " -SamAccountName " + account + " -Description 'idp single sign-on' -Enabled $false -PasswordNeverExpires $true -CannotChangePassword $true",
				"Set-ADUser -Identity " + account + " -KerberosEncryptionType AES128,AES256",
			}},
			{Where: onWindows, Why: "Give it the SPN.", Commands: r.setspn("-S", account)},
			{Where: onWindows, Why: "Set a random password and write the key to a new file, then switch the account on.",
				Commands: []string{r.ktpass(), "Enable-ADAccount -Identity " + account}},
			r.fromWindows(r.newKeytab()), r.install(),
		}
		return append(steps, r.look()...)
	},
	rollover: func(r Request) []Step {
		steps := []Step{
			{Where: onWindows, Why: "A new random password, and its key in a new file.", Commands: []string{r.ktpass()}},
			r.fromWindows(r.addKeytab()), r.merge(),
		}
		return append(append(steps, r.look()...), r.onlyNew(adLife))
	},
	refresh: func(r Request) []Step {
		ktpass := Step{Where: onWindows, Why: "Active Directory gives no key out, so make another one: a new random password, and its key in a new file.", Commands: []string{r.ktpass()}}
		return append([]Step{ktpass, r.fromWindows(r.addKeytab()), r.merge()}, r.look()...)
	},
}

// setspn asks for every SPN, or adds it to an account.
func (r *Request) setspn(how, account string) (commands []string) {
	for _, s := range r.spns() {
		c := "setspn " + how + " " + powershell(s)
		if account != "" {
			c += " " + account
		}
		commands = append(commands, c)
	}
	return commands
}

// ktpass writes the key under the first name; idp tries it for the others, too.
func (r *Request) ktpass() string {
	return "ktpass /princ " + powershell(r.principals()[0]) + " /mapuser " + powershell(r.Account) +
		" +rndPass /crypto AES256-SHA1 /ptype KRB5_NT_PRINCIPAL /out " + powershell(filepath.Base(r.newKeytab()))
}

func (r *Request) fromWindows(to string) Step {
	file := powershell(filepath.Base(r.newKeytab()))
	s := r.transfer(onWindows, to)
	s.Commands = []string{"scp " + file + " " + powershell("root@"+r.Host+":"+to) + "; if ($LASTEXITCODE -eq 0) { Remove-Item " + file + " }"}
	s.OneHost = nil
	return s
}
