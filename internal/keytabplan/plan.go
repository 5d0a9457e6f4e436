// Package keytabplan writes down what an admin types so that idp gets its
// service account, service principal name (SPN) and keytab: for every directory
// the exact commands for this issuer, with AES keys only.
//
// A browser that opens https://sso.example.com asks its KDC for a ticket for
// HTTP/sso.example.com: HTTP also for https, never with a port, and with the name
// in the address bar (some browsers follow a CNAME first). The directory must
// know that SPN, on one account only, and the account's keys must be in idp's
// keytab, each under its key version number (kvno). Whatever sets the account's
// password makes new keys and raises the kvno, so a keytab is made once and then
// guarded, and replaced by a roll-over: a new version beside the old, and the old
// one taken out when the last ticket made with it has ended. Where the key was
// changed and nobody exported it, a refresh brings the new one in, again beside
// the old: tickets made with that are still out. So a file that is in use is never
// replaced by one that has less in it, but where a step says that it waited.
//
// A plan is data, not prose: the tests take the commands out of it and run them.
package keytabplan

import (
	"fmt"
	"slices"
	"strings"
)

// Request says for what a plan is.
type Request struct {
	Host    string   // of the issuer, without a port
	Also    []string // other names of the same server
	Realm   string
	Keytab  string // path on idp's host, absolute
	Config  string // configuration file for `idp check`; empty: none
	Owner   string // user that idp runs as; default idp
	Account string // of Active Directory and Samba; default idp- and the host's first label
}

// Plan is what is to be done in one kind of directory.
type Plan struct {
	For   string // ad, mit, …
	Title string
	Tried string // what our tests have run of it
	Notes []string
	Steps []Step
}

// Step is typed in one go, in one shell.
type Step struct {
	Where    Where
	Kind     Kind
	Why      string
	Commands []string
	OneHost  []string // of a Transfer: in place of Commands where both hosts are one
}

// Where says on which machine a step is done, and as whom.
type Where string

// The places.
const (
	onWindows Where = "In PowerShell on a domain controller (or with RSAT), as a domain administrator"
	onKDC     Where = "On the KDC, as root"
	onDC      Where = "On the domain controller, as root"
	onHost    Where = "On the host of idp, as root"
	asIdp     Where = "On the host of idp, as its user"
)

// Kind tells steps apart that cannot be typed without thinking.
type Kind string

// The kinds.
const (
	Run      Kind = ""         // type it
	Transfer Kind = "transfer" // it takes the keytab from one host to another
	Wait     Kind = "wait"     // not before the old tickets have ended
	Diagnose Kind = "diagnose" // it looks at the network, and may have something to say
)

// system is a kind of directory.
type system struct {
	name, title, tried string
	notes              func(Request) []string

	setup, rollover, refresh func(Request) []Step
}

// Task is what a plan is for.
type Task string

// The tasks.
const (
	SetUp    Task = "set-up"    // service account, SPN and keytab
	RollOver Task = "roll-over" // a new key
	Refresh  Task = "refresh"   // the directory has a newer key than the keytab
)

// systems, the most likely first.
var systems = []system{activeDirectory, activeDirectoryFromLinux, samba, freeIPA, mit, heimdal}

// What the tests do with a plan.
const (
	triedByTests = "Tried: our tests run these commands, set-up, roll-over and refresh, and log in with the result."
	notTried     = "Not tried by us: written from the vendor's documentation. Read before you type."
)

// Names are what New's forSystem may be.
func Names() []string {
	names := make([]string, len(systems))
	for i, s := range systems {
		names[i] = s.name
	}
	return names
}

// New makes the plan for one kind of directory, or with "" those for all. It refuses what is no name, so that nothing in a
// command means more than it seems.
func New(r Request, forSystem string, task Task) ([]Plan, error) {
	r.setDefaults()
	if err := r.check(); err != nil {
		return nil, err
	}
	if forSystem != "" && !slices.Contains(Names(), forSystem) {
		return nil, fmt.Errorf("unknown directory %q: use one of %s", forSystem, strings.Join(Names(), ", "))
	}
	var plans []Plan
	for _, s := range systems {
		if forSystem == "" || s.name == forSystem {
			plans = append(plans, s.plan(r, task))
		}
	}
	return plans, nil
}

func (s system) plan(r Request, task Task) Plan {
	p := Plan{For: s.name, Tried: s.tried}
	if s.notes != nil {
		p.Notes = s.notes(r)
	}
	names := strings.Join(r.principals(), ", ")
	switch task {
	case RollOver:
		p.Title, p.Steps = s.title+": a new key for "+names, s.rollover(r)
		p.Notes = append(p.Notes, gap)
	case Refresh:
		p.Title, p.Steps = s.title+": the directory's present key of "+names+", beside those of the keytab", s.refresh(r)
		p.Notes = append(p.Notes, behind)
	case SetUp:
		p.Title, p.Steps = s.title+": a keytab for "+names, s.setup(r)
		p.Notes = append(p.Notes, nameNote(r))
	}
	return p
}
