package users

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Vault seals the secrets of second factors and of webhooks, so that a copy of the database is worth nothing
// without the key: AES-256-GCM, bound to what a secret is for and whose it is.
type Vault struct {
	keys []vaultKey // the first seals, all open
}

type vaultKey struct {
	id   []byte
	aead cipher.AEAD
}

const (
	vaultKeySize = 32
	vaultIDSize  = 4
)

// NewVault makes a vault of keys: 32 random bytes each in base64, separated by commas or spaces. The
// first, the newest, seals; all open, and what an older one sealed is sealed anew when it is used. The
// error shows no part of a key.
func NewVault(keys string) (*Vault, error) {
	v := &Vault{}
	for _, field := range strings.FieldsFunc(keys, func(r rune) bool { return r == ',' || r <= ' ' }) {
		raw, err := base64.StdEncoding.DecodeString(field)
		if err != nil || len(raw) != vaultKeySize {
			return nil, fmt.Errorf("users: key %d is not 32 bytes in base64", len(v.keys)+1)
		}
		block, err := aes.NewCipher(raw)
		if err != nil {
			return nil, fmt.Errorf("users: key %d: %w", len(v.keys)+1, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("users: key %d: %w", len(v.keys)+1, err)
		}
		sum := sha256.Sum256(append([]byte("techmart vault key id:"), raw...))
		v.keys = append(v.keys, vaultKey{id: sum[:vaultIDSize], aead: aead})
	}
	if len(v.keys) == 0 {
		return nil, errors.New("users: no key given")
	}
	return v, nil
}

// purpose is what the secrets of second factors are sealed for.
const purpose = "second factor of"

// bound is what a sealed secret is bound to.
func bound(purpose string, id uuid.UUID) []byte { return append([]byte(purpose+" "), id[:]...) }

// seal gives the secret of an account as it is kept.
func (v *Vault) seal(userID uuid.UUID, secret []byte) []byte { return v.Seal(purpose, userID, secret) }

// Seal gives a secret as it is kept, bound to what it is for and whose it is: key id, nonce, ciphertext.
func (v *Vault) Seal(purpose string, id uuid.UUID, secret []byte) []byte {
	k := v.keys[0]
	nonce := make([]byte, k.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return k.aead.Seal(append(bytes.Clone(k.id), nonce...), nonce, secret, bound(purpose, id))
}

// Open is the reverse of Seal, by any of the keys.
func (v *Vault) Open(purpose string, id uuid.UUID, sealed []byte) ([]byte, error) {
	secret, _, err := v.unseal(purpose, id, sealed)
	return secret, err
}

// open gives the secret of an account, and whether an older key had sealed it.
func (v *Vault) open(userID uuid.UUID, sealed []byte) (secret []byte, outdated bool, err error) {
	return v.unseal(purpose, userID, sealed)
}

func (v *Vault) unseal(purpose string, id uuid.UUID, sealed []byte) (secret []byte, outdated bool, err error) {
	for i, k := range v.keys {
		head := vaultIDSize + k.aead.NonceSize()
		if len(sealed) < head || !bytes.Equal(sealed[:vaultIDSize], k.id) {
			continue
		}
		secret, err := k.aead.Open(nil, sealed[vaultIDSize:head], sealed[head:], bound(purpose, id))
		if err != nil {
			return nil, false, fmt.Errorf("users: a sealed secret: %w", err)
		}
		return secret, i > 0, nil
	}
	return nil, false, errors.New("users: no key opens a sealed secret")
}
