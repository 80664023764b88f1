// Package repository is what a provider may do beside handing out credentials: make projects' repositories, keep their settings,
// and let go of them without losing images by mistake.
//
// A provider that can implements [Manager]; a service finds that, through decorators, with [ManagerOf]:
//
//	m, err := repository.ManagerOf(p)
//	if err != nil {
//		return err // provider.ErrUnsupported says why there is nothing to manage
//	}
//	change, err := m.EnsureRepository(ctx, provider.Project{Name: "hello", ID: "p-1"}, repository.EnsureOptions{})
//
// registry/reconcile keeps all of them as a service's own records say, and [Purge] removes those that were released long ago. A
// provider whose registry makes repositories on push implements [PushCreator] instead.
package repository
