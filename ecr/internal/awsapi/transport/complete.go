package transport

import (
	"context"
	"reflect"

	"github.com/aws/smithy-go/middleware"
)

// completeAnswers refuses what the SDK would panic at: SSO's answer without credentials.
func completeAnswers(s *middleware.Stack) error {
	if s.ID() != "GetRoleCredentials" {
		return nil
	}
	return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("RiseCompleteAnswer", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if answer := reflect.Indirect(reflect.ValueOf(out.Result)); err == nil && answer.Kind() == reflect.Struct {
			if keys := answer.FieldByName("RoleCredentials"); keys.Kind() == reflect.Pointer && keys.IsNil() {
				err = BadAnswer("it holds no credentials")
			}
		}
		return out, metadata, err
	}), middleware.Before)
}
