package webhooks

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"
)

// The example of the specification's reference implementations.
func TestSignAsTheSpecificationDoes(t *testing.T) {
	t.Parallel()
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), secret)
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("it is %s, not %s", got, want)
	}
}

// Whatever is sent, the official verifier takes it with each of its secrets, and with no other one or other body.
func TestTheOfficialVerifierTakesSignatures(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		secrets := [][]byte{newSecret(), newSecret()}
		now := time.Now()
		header := http.Header{}
		header.Set("webhook-id", "whd_1")
		header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
		header.Set("webhook-signature", Sign("whd_1", now, body, secrets...))
		verify := func(secret, body []byte) error {
			v, err := standardwebhooks.NewWebhook(secretText(secret))
			if err != nil {
				t.Fatal(err)
			}
			return v.Verify(body, header)
		}
		for _, secret := range secrets {
			if err := verify(secret, body); err != nil {
				t.Error(err)
			}
		}
		if verify(newSecret(), body) == nil || verify(secrets[0], append([]byte("x"), body...)) == nil {
			t.Error("it takes a wrong one")
		}
		if !strings.HasPrefix(secretText(secrets[0]), "whsec_") {
			t.Error("a secret has another prefix")
		}
	})
}
