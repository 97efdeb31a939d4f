package main

import (
	"context"
	"io"
	"log"
	"net"

	"github.com/emersion/go-smtp"
)

// startMail starts a mail server that takes every mail and keeps none, and gives its address. It ends with ctx.
func startMail(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return forgetful{}, nil }))
	server.Domain = "mail.bench"
	server.ErrorLog = log.New(io.Discard, "", 0) // connections that the program drops
	go func() { _ = server.Serve(listener) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return listener.Addr().String(), nil
}

// forgetful takes mails and keeps none.
type forgetful struct{}

func (forgetful) Reset()                               {}
func (forgetful) Logout() error                        { return nil }
func (forgetful) Mail(string, *smtp.MailOptions) error { return nil }
func (forgetful) Rcpt(string, *smtp.RcptOptions) error { return nil }

func (forgetful) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}
