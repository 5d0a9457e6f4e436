// Command kubernetes is what kube-apiserver does with an ID token, by the API server's
// own code: it reads the file for --authentication-config, says who the token is
// of, and exits with 1 where the API server would answer 401.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

func main() {
	file := flag.String("authentication-config", "", "`FILE` as kube-apiserver takes it")
	token := flag.String("token", "", "`FILE` with the ID token that kubectl would send")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, *file, *token); err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		os.Exit(1) //nolint:gocritic // cancel has nothing left to undo
	}
}

func run(ctx context.Context, file, tokenFile string) error {
	config, err := read(file)
	if err != nil {
		return err
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return err
	}
	authenticator, err := open(ctx, config.JWT[0])
	if err != nil {
		return err
	}
	who, ok, err := authenticator.AuthenticateToken(ctx, strings.TrimSpace(string(token)))
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("not a token of %s", config.JWT[0].Issuer.URL)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"username": who.User.GetName(), "groups": who.User.GetGroups()})
}

// read reads an AuthenticationConfiguration of any version that kube-apiserver knows.
func read(file string) (*apiserver.AuthenticationConfiguration, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	utilruntime.Must(apiserver.AddToScheme(scheme))
	config := &apiserver.AuthenticationConfiguration{}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDecoder()
	if err := runtime.DecodeInto(decoder, text, config); err != nil {
		return nil, err
	}
	if len(config.JWT) != 1 {
		return nil, fmt.Errorf("%s: want one entry in jwt", file)
	}
	return config, nil
}

// open waits until the authenticator has found the issuer's keys.
func open(ctx context.Context, j apiserver.JWTAuthenticator) (oidc.AuthenticatorTokenWithHealthCheck, error) {
	options := oidc.Options{JWTAuthenticator: j, SupportedSigningAlgs: oidc.AllValidSigningAlgorithms()}
	if pem := j.Issuer.CertificateAuthority; pem != "" {
		options.CAContentProvider = ca(pem)
	}
	a, err := oidc.New(ctx, options)
	if err != nil {
		return nil, err
	}
	for {
		err := a.HealthCheck()
		if err == nil {
			return a, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ca is what the file says under certificateAuthority.
type ca string

func (c ca) CurrentCABundleContent() []byte { return []byte(c) }
