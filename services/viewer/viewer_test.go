package viewer_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	ada, bob := uuid.New(), uuid.New()
	customer := viewer.Viewer{UserID: ada}
	support := viewer.Viewer{UserID: bob, Scopes: []viewer.Scope{viewer.OrdersRead}}
	apiClient := viewer.Viewer{ClientID: uuid.New(), Scopes: []viewer.Scope{viewer.OrdersRead}}
	tests := map[string]struct {
		got, want any
	}{
		"anonymous needs an account":  {errs.CodeOf(viewer.Viewer{}.Require(viewer.OrdersRead)), errs.Unauthenticated},
		"a customer lacks scopes":     {errs.CodeOf(customer.Require(viewer.OrdersRead)), errs.Forbidden},
		"support has its scope":       {support.Require(viewer.OrdersRead), nil},
		"an API client has its scope": {apiClient.Require(viewer.OrdersRead), nil},
		"and no other one":            {errs.CodeOf(apiClient.Require(viewer.OrdersWrite)), errs.Unauthenticated},
		"an API client acts itself":   {apiClient.Actor(), apiClient.ClientID},
		"an account acts by itself":   {viewer.Viewer{UserID: ada, ClientID: bob}.Actor(), ada},
		"and is no account":           {errs.CodeOf(apiClient.RequireAccount()), errs.Unauthenticated},
		"the program may do all":      {viewer.System.Require(viewer.UsersWrite), nil},
		"one's own":                   {customer.IsOrCan(ada, viewer.OrdersRead), true},
		"somebody else's":             {customer.IsOrCan(bob, viewer.OrdersRead), false},
		"by scope":                    {support.IsOrCan(ada, viewer.OrdersRead), true},
		"nobody's thing is not one's": {viewer.Viewer{}.Is(uuid.Nil), false},
	}
	for name, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	if viewer.FromContext(context.Background()).Authenticated() {
		t.Error("without a viewer a request is anonymous")
	}
	v := viewer.Viewer{UserID: uuid.New()}
	if got := viewer.FromContext(viewer.NewContext(context.Background(), v)); got.UserID != v.UserID {
		t.Errorf("the context gives %v", got)
	}
}
