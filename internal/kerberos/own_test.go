package kerberos

import (
	"strings"
	"testing"

	"idp/internal/kerberos/krbtest"
	"idp/internal/reason"
)

func TestOurOwnTickets(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	a := newAcceptor(t, r, nil)
	o, tried := a.LogInAsOurselves(t.Context(), r.Name)
	if o == nil || len(tried) != 0 || o.Client != "HTTP/idp.localhost@"+r.Name {
		t.Fatalf("%+v, tried %+v", o, tried)
	}
	got, err := o.Ticket(t.Context(), "localhost", r.Name)
	if err != nil || got.Err != nil || got.KVNO != 1 || got.OpenedBy != "HTTP/localhost@"+r.Name || !strings.HasPrefix(got.Etype, "aes256") {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err = o.Ticket(t.Context(), "elsewhere.localhost", r.Name); KDCCode(err) != 7 || reason.Of(err) != reason.WrongSPN {
		t.Errorf("a name the KDC does not know: %d, %v", KDCCode(err), err)
	}
	// The KDC gets a new key: the keytab's old one logs nobody in, the other's does.
	must(t, r.Kadmin("cpw -randkey HTTP/idp.localhost\n"))
	o, tried = a.LogInAsOurselves(t.Context(), r.Name)
	if o == nil || o.Client != "HTTP/localhost@"+r.Name || len(tried) != 1 || tried[0].KVNO != 1 || reason.Of(tried[0].Err) != reason.BadPassword {
		t.Fatalf("%+v, tried %+v", o, tried)
	}
	got, err = o.Ticket(t.Context(), "idp.localhost", r.Name)
	if err != nil || reason.Of(got.Err) != reason.KVNO || got.KVNO != 2 {
		t.Errorf("a newer key: %+v, %v", got, err)
	}
}

// TestOtherEntriesLogIn: as in Active Directory, where the HTTP/ name is no
// account, but the keytab may have the account's own.
func TestOtherEntriesLogIn(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{Services: []string{"HTTP/idp.localhost", "svc-idp"}})
	a := newAcceptor(t, r, nil)
	must(t, r.Kadmin("modprinc -allow_tix HTTP/idp.localhost\n"))
	o, tried := a.LogInAsOurselves(t.Context(), r.Name)
	if o == nil || o.Client != "svc-idp@"+r.Name || len(tried) != 1 {
		t.Fatalf("%+v, tried %+v", o, tried)
	}
}

// TestTheVersionBeforeTheNewestLogsIn: a keytab may be ahead of the KDC.
func TestTheVersionBeforeTheNewestLogsIn(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{Services: []string{"HTTP/idp.localhost"}})
	must(t, r.Kadmin("cpw -keepold -randkey HTTP/idp.localhost\n"))
	must(t, r.ExportKeytab(r.Keytab, "HTTP/idp.localhost"))
	a := newAcceptor(t, r, nil)
	if o, tried := a.LogInAsOurselves(t.Context(), r.Name); o == nil || len(tried) != 0 {
		t.Errorf("the newest: %+v, tried %+v", o, tried)
	}
	if list := a.clients(r.Name); len(list) != 2 || list[0].kvno != 2 || list[1].kvno != 1 {
		t.Errorf("order of tries: %+v", list)
	}
}

func TestNobodyMayLogIn(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{Services: []string{"HTTP/idp.localhost"}})
	a := newAcceptor(t, r, nil)
	must(t, r.Kadmin("delprinc -force HTTP/idp.localhost\n"))
	if o, tried := a.LogInAsOurselves(t.Context(), r.Name); o != nil || len(tried) != 1 || reason.Of(tried[0].Err) != reason.ClientUnknown {
		t.Errorf("%+v, tried %+v", o, tried)
	}
	r.Stop()
	if o, tried := a.LogInAsOurselves(t.Context(), r.Name); o != nil || len(tried) != 1 || reason.Of(tried[0].Err) != reason.Unreachable {
		t.Errorf("without a KDC: %+v, tried %+v", o, tried)
	}
}
