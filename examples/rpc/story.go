package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"idp/examples/demo/stage"
)

// told counts what held.
type told struct{ held, failed int }

func (t *told) check(what string, ok bool, detail any) {
	mark := "ok    "
	if ok {
		t.held++
	} else {
		mark = "FAILED"
		t.failed++
	}
	fmt.Printf("   %s %s\n          %v\n", mark, what, detail)
}

// refused checks that an error is a refusal by this status and code.
func (t *told) refused(what string, err error, status int, code string) {
	var p problem
	t.check(what, errors.As(err, &p) && p.status == status && p.Code == code, err)
}

// What a back end answers, by RFC 6750 §3.
const (
	noToken = "Bearer"
	badOne  = `Bearer error="invalid_token"`
)

// tell plays the story.
func (w *world) tell(ctx context.Context) (t told, err error) {
	ticket, err := w.byTicket(ctx, "alice", stage.AlicePassword)
	if err != nil {
		return t, err
	}
	fmt.Println("\n1. alice has a Kerberos ticket, and gets a token for the front end by it; no password, no browser.")
	w.honest(ctx, &t, ticket)
	proof, err := w.toLedger.proof(ctx, ticket)
	if err != nil {
		return t, err
	}
	w.stolen(ctx, &t, ticket, proof)
	return t, w.lies(ctx, &t, ticket, proof)
}

// honest is alice's call through the chain, from a program that knows a field more.
func (w *world) honest(ctx context.Context, t *told, ticket string) {
	fmt.Println("   She asks the front end, which asks the ledger, which asks the archive; each with a proof made for it.")
	var out entryV1
	err := call(ctx, w.http, w.reports+"/v1/spend", ticket, map[string]any{"amount": 5, "text": "paper", "field_of_version_1_9": true}, &out)
	said, _ := json.Marshal(out)
	t.check("the ledger has alice's entry, by reports", err == nil && out.Owner != "" && slices.Equal(out.By, []string{"reports"}), or(err, string(said)))
	t.check("the archive has it, too", out.Record != nil, or(err, "record "+value(out.Record)))
	t.check("what she left out has its default, what nobody knows is ignored", out.Amount == 5 && out.Currency == "EUR", or(err, out.Currency))
}

// stolen: a token that leaks at one back end is worth nothing at the other.
func (w *world) stolen(ctx context.Context, t *told, ticket, proof string) {
	fmt.Println("\n2. Somebody has stolen alice's proof for the ledger, from a log or from the ledger itself.")
	t.refused("the archive refuses it", call(ctx, w.http, w.archive+"/v1/records", proof, recordV1{Text: "stolen"}, nil), 401, badOne)
	t.refused("so does the front end", call(ctx, w.http, w.reports+"/v1/spend", proof, spendV1{Amount: 1}, nil), 401, badOne)
	t.refused("her own token for the front end is none for the ledger", call(ctx, w.http, w.ledger+"/v1/statement", ticket, statementV1{}, nil), 401, badOne)
	_, err := w.toArchive.proof(ctx, ticket)
	t.check("and the ledger cannot exchange what was not made for it", err != nil, err)
}

// lies: the front end is broken into, and does what it likes.
func (w *world) lies(ctx context.Context, t *told, ticket, proof string) error {
	fmt.Println("\n3. The front end lies: it has its own secret, and what alice has sent it.")
	statement := func(proof string, in any) error {
		return call(ctx, w.http, w.ledger+"/v1/statement", proof, in, nil)
	}
	t.refused("it names bob, and has no proof", statement("", map[string]string{"owner": "bob", "user": "bob"}), 401, noToken)
	t.refused("it names bob, with alice's proof", statement(proof, statementV1{Owner: "bob"}), 403, "not_yours")
	t.refused("it changes the proof", statement(forged(proof), statementV1{}), 401, badOne)
	own, err := w.toLedger.own(ctx)
	if err != nil {
		return err
	}
	t.refused("it comes as itself", statement(own, statementV1{}), 403, "no_proof")
	past := *w.toLedger
	past.audience, past.scope = w.archive, "archive:write"
	_, err = past.proof(ctx, ticket)
	t.check("it wants to ask the archive itself: idp gives it no proof", err != nil, err)
	more := *w.toLedger
	more.scope = "ledger:write ledger:close"
	_, err = more.proof(ctx, ticket)
	t.check("it wants to do more than alice lets be done: nor that", err != nil, err)
	return nil
}

// forged has its claims changed, and the signature kept.
func forged(token string) string {
	parts := strings.Split(token, ".")
	parts[1] = parts[1][:len(parts[1])-4] + "AAAA"
	return strings.Join(parts, ".")
}

// byTicket is a token for the front end, for the ticket of somebody in the realm.
func (w *world) byTicket(ctx context.Context, name, password string) (string, error) {
	ccache, err := w.Realm.Kinit(name, password)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "curl", "-sS", "--negotiate", "-u", ":", w.tokenEndpoint, //nolint:gosec // our own addresses
		"-d", "client_id=shell", "-d", "grant_type=urn:ietf:params:oauth:grant-type:token-exchange",
		"-d", "subject_token_type=urn:idp:params:oauth:token-type:kerberos", "--data-urlencode", "audience="+w.reports)
	cmd.Env = append(w.Realm.Client().Env(), "KRB5CCNAME="+ccache)
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.AccessToken == "" {
		return "", fmt.Errorf("no token for a ticket: %s", out)
	}
	return answer.AccessToken, nil
}

func or(err error, text string) any {
	if err != nil {
		return err
	}
	return text
}

func value(s *string) string {
	if s == nil {
		return "none"
	}
	return *s
}
