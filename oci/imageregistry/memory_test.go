package imageregistry_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// room is what a registry of these tests holds: a blob, or an upload, of room-1024 bytes.
const room = 8 << 10

// fits fails unless the registry is as empty as a new one.
func fits(t *testing.T, h http.Handler) {
	t.Helper()
	tooMuch := strings.Repeat("x", room-1023)
	full(t, do(h, http.MethodPost, "/v2/all-of-it/blobs/uploads/?digest="+sha256Of(tooMuch), tooMuch))
	blob := pushBlob(t, h, "all-of-it", tooMuch[1:])
	require.Equal(t, http.StatusAccepted, do(h, http.MethodDelete, "/v2/all-of-it/blobs/"+blob, "").Code)
}

// full fails unless the answer says so.
func full(t *testing.T, a answer) {
	t.Helper()
	require.Equal(t, http.StatusRequestEntityTooLarge, a.Code, a.Body)
	require.Equal(t, "DENIED", a.code())
	require.Contains(t, a.Body.String(), "the registry is full: it holds at most 8192 bytes, in memory")
}

func TestFull(t *testing.T) {
	t.Parallel()
	images := imageregistry.New(imageregistry.AllowAll, imageregistry.WithMaxBytes(room))
	fits(t, images)
	tooMuch := strings.Repeat("x", room-1023)
	full(t, do(images, http.MethodPost, "/v2/a/blobs/uploads/?digest="+sha256Of(tooMuch), tooMuch))
	fits(t, images)

	location := startUpload(t, images, "a")
	full(t, do(images, http.MethodPatch, location, tooMuch))
	require.Equal(t, http.StatusAccepted, do(images, http.MethodPatch, location, "some").Code, "the upload goes on")
	require.Equal(t, "0-3", do(images, http.MethodGet, location, "").Header().Get("Range"))
	full(t, do(images, http.MethodPut, location+"?digest="+sha256Of("some"+tooMuch), tooMuch))
	require.Equal(t, http.StatusCreated, do(images, http.MethodPut, location+"?digest="+sha256Of("some"), "").Code)
	blob := sha256Of("some")
	require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/a/blobs/"+blob, "").Code)
	fits(t, images)

	full(t, do(images, http.MethodPut, "/v2/a/manifests/latest", `{"x":"`+tooMuch+`"}`, "Content-Type", imageType))
	fits(t, images)

	// Tags, empty blobs and uploads without content count, too.
	manifest := pushManifest(t, images, "a", "tag", "{}", imageType)
	n := 0
	for ; ; n++ {
		if a := do(images, http.MethodPut, fmt.Sprintf("/v2/a/manifests/tag%d", n), "{}", "Content-Type", imageType); a.Code != http.StatusCreated {
			full(t, a)
			break
		}
	}
	require.Equal(t, room/1024-3, n, "beside the first tag, the manifest and its two bytes")
	pushManifest(t, images, "a", "tag", "{}", imageType) // what is there already needs nothing
	require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/a/manifests/tag0", "").Code)
	pushManifest(t, images, "a", "tag0", "{}", imageType)
	require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/a/manifests/"+manifest, "").Code)
	fits(t, images)
	for n = 0; ; n++ {
		if a := do(images, http.MethodPost, fmt.Sprintf("/v2/a%d/blobs/uploads/", n), ""); a.Code != http.StatusAccepted {
			full(t, a)
			break
		}
	}
	require.Equal(t, room/1024, n)
	for i := range n {
		images.DeleteRepository(fmt.Sprintf("a%d", i))
	}
	fits(t, images)
}

// However an upload ends, nothing of it stays.
func TestFreed(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("y", room/4)
	request := func(images *imageregistry.Registry, method, target string, body io.Reader) int {
		r := httptest.NewRequest(method, target, body)
		w := httptest.NewRecorder()
		images.ServeHTTP(w, r)
		return w.Code
	}
	for name, end := range map[string]func(t *testing.T, images *imageregistry.Registry){
		"cancelled": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			location := startUpload(t, images, "a")
			require.Equal(t, http.StatusAccepted, do(images, http.MethodPatch, location, content).Code)
			require.Equal(t, http.StatusNoContent, do(images, http.MethodDelete, location, "").Code)
			require.Equal(t, http.StatusNotFound, do(images, http.MethodDelete, location, "").Code)
		},
		"another digest": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			location := startUpload(t, images, "a")
			require.Equal(t, http.StatusAccepted, do(images, http.MethodPatch, location, content).Code)
			require.Equal(t, "DIGEST_INVALID", do(images, http.MethodPut, location+"?digest="+sha256Of("z"), content).code())
			require.Equal(t, http.StatusNotFound, do(images, http.MethodGet, location, "").Code)
		},
		"another digest, in one request": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			require.Equal(t, "DIGEST_INVALID", do(images, http.MethodPost, "/v2/a/blobs/uploads/?digest="+sha256Of("z"), content).code())
		},
		"a chunk that breaks off": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			location := startUpload(t, images, "a")
			require.Equal(t, http.StatusBadRequest, request(images, http.MethodPatch, location, broken(content)))
			require.Equal(t, "0-0", do(images, http.MethodGet, location, "").Header().Get("Range"), "as if it had never come")
			require.Equal(t, http.StatusBadRequest, request(images, http.MethodPut, location+"?digest="+sha256Of(content), broken(content)))
			require.Equal(t, http.StatusNoContent, do(images, http.MethodDelete, location, "").Code)
		},
		"too large, of unknown length": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			half := strings.Repeat("x", room/2)
			location := startUpload(t, images, "a")
			body := io.MultiReader(strings.NewReader(half), strings.NewReader(half))
			require.Equal(t, http.StatusRequestEntityTooLarge, request(images, http.MethodPatch, location, body))
			require.Equal(t, http.StatusNoContent, do(images, http.MethodDelete, location, "").Code)
		},
		"a blob that breaks off": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			require.Equal(t, http.StatusBadRequest, request(images, http.MethodPost, "/v2/a/blobs/uploads/?digest="+sha256Of(content), broken(content)))
		},
		"a manifest that breaks off": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			require.Equal(t, http.StatusBadRequest, request(images, http.MethodPut, "/v2/a/manifests/latest", broken("{}")))
		},
		"no manifest": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			require.Equal(t, http.StatusBadRequest, do(images, http.MethodPut, "/v2/a/manifests/latest", content, "Content-Type", imageType).Code)
		},
		"a manifest without its parts": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			require.Equal(t, "MANIFEST_BLOB_UNKNOWN", do(images, http.MethodPut, "/v2/a/manifests/latest", `{"config":{}}`, "Content-Type", imageType).code())
		},
		"out of order": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			location := startUpload(t, images, "a")
			for _, asked := range []string{"1-2048", "0-1", "x", "0-", "-1", "5-4", "bytes 0-2047/2048", strings.Repeat("9", 30) + "-" + strings.Repeat("9", 30)} {
				a := do(images, http.MethodPatch, location, content, "Content-Range", asked)
				require.Equal(t, http.StatusRequestedRangeNotSatisfiable, a.Code, asked)
				require.Equal(t, location, a.Header().Get("Location"))
			}
			require.Equal(t, http.StatusNoContent, do(images, http.MethodDelete, location, "").Code)
		},
		"of unknown length, out of order": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			location := startUpload(t, images, "a")
			r := httptest.NewRequest(http.MethodPatch, location, io.MultiReader(strings.NewReader(content)))
			r.ContentLength = -1
			r.Header.Set("Content-Range", "0-17")
			w := httptest.NewRecorder()
			images.ServeHTTP(w, r)
			require.Equal(t, http.StatusRequestedRangeNotSatisfiable, w.Code)
			require.Equal(t, http.StatusNoContent, do(images, http.MethodDelete, location, "").Code)
		},
		"twice the same": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			pushBlob(t, images, "a", content)
			pushBlob(t, images, "a", content)
			location := startUpload(t, images, "a")
			require.Equal(t, http.StatusCreated, do(images, http.MethodPut, location+"?digest="+sha256Of(content), content).Code)
			manifest := pushManifest(t, images, "a", "latest", "{}", imageType)
			pushManifest(t, images, "a", "latest", "{}", indexType)
			require.Equal(t, "{}", do(images, http.MethodGet, "/v2/a/manifests/latest", "").Body.String())
			require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/a/blobs/"+sha256Of(content), "").Code)
			require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/a/manifests/"+manifest, "").Code)
		},
		"mounted": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			blob := pushBlob(t, images, "a", strings.Repeat("m", room/2))
			for _, name := range []string{"b", "c"} { // three times the bytes wouldn't fit
				require.Equal(t, http.StatusCreated, do(images, http.MethodPost, "/v2/"+name+"/blobs/uploads/?from=a&mount="+blob, "").Code)
			}
			for _, name := range []string{"b", "a", "c"} {
				require.Equal(t, http.StatusOK, do(images, http.MethodGet, "/v2/"+name+"/blobs/"+blob, "").Code)
				require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/"+name+"/blobs/"+blob, "").Code)
			}
		},
		"referrers": func(t *testing.T, images *imageregistry.Registry) {
			t.Helper()
			pushManifest(t, images, "a", "latest", `{"subject":{"digest":"`+sha256Of("")+`"}}`, imageType)
			require.Contains(t, do(images, http.MethodGet, "/v2/a/referrers/"+sha256Of(""), "").Body.String(), imageType)
			images.DeleteRepository("a")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			images := imageregistry.New(imageregistry.AllowAll, imageregistry.WithMaxBytes(room))
			for range 20 {
				end(t, images)
			}
			require.JSONEq(t, `{"repositories":[]}`, do(images, http.MethodGet, "/v2/_catalog", "").Body.String())
			fits(t, images)
		})
	}
}

// A manifest is read to its limit, and not beyond.
func TestEndlessManifest(t *testing.T) {
	t.Parallel()
	images := imageregistry.New(imageregistry.AllowAll, imageregistry.WithMaxBytes(6<<20))
	for range 5 {
		r := httptest.NewRequest(http.MethodPut, "/v2/a/manifests/latest", endless{})
		w := httptest.NewRecorder()
		images.ServeHTTP(w, r)
		require.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
		require.Equal(t, "SIZE_INVALID", answer{w}.code())
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// What is announced and won't fit is refused before it comes, but nothing is kept free for it.
func TestAnnouncedTooLarge(t *testing.T) {
	t.Parallel()
	images := imageregistry.New(imageregistry.AllowAll, imageregistry.WithMaxBytes(room))
	r := httptest.NewRequest(http.MethodPost, "/v2/a/blobs/uploads/?digest="+sha256Of(""), errReader{})
	r.ContentLength = room + 1
	w := httptest.NewRecorder()
	images.ServeHTTP(w, r)
	full(t, answer{w})
	reached, goOn := make(chan struct{}), make(chan struct{})
	ended := make(chan int)
	go func() {
		r := httptest.NewRequest(http.MethodPost, "/v2/a/blobs/uploads/?digest="+sha256Of(""), waitReader{reached, goOn})
		r.ContentLength = room
		w := httptest.NewRecorder()
		images.ServeHTTP(w, r)
		ended <- w.Code
	}()
	<-reached
	fits(t, images)
	close(goOn)
	require.Equal(t, http.StatusBadRequest, <-ended)
}

// waitReader is a body that tells when it is read, and breaks off when it is told to.
type waitReader struct{ reached, goOn chan struct{} }

func (r waitReader) Read([]byte) (int, error) {
	close(r.reached)
	<-r.goOn
	return 0, io.ErrUnexpectedEOF
}

// A slow reader's bytes count after they were deleted.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	content := `{"x":"` + strings.Repeat("y", room-1024-8) + `"}`
	digest := sha256Of(content)
	for kind, put := range map[string]string{"blobs": http.MethodPost, "manifests": http.MethodPut} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			images := imageregistry.New(imageregistry.AllowAll, imageregistry.WithMaxBytes(room))
			target, into := "/v2/a/"+kind+"/"+digest, "/v2/a/"+kind+"/"+digest
			if kind == "blobs" {
				into = "/v2/a/blobs/uploads/?digest=" + digest
			}
			require.Equal(t, http.StatusCreated, do(images, put, into, content, "Content-Type", imageType).Code)
			w := &waitWriter{ResponseRecorder: httptest.NewRecorder(), reached: make(chan struct{}), goOn: make(chan struct{})}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				images.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
			}()
			<-w.reached
			require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, target, "").Code)
			full(t, do(images, put, into, content, "Content-Type", imageType))
			close(w.goOn)
			<-ended
			require.Equal(t, content, w.Body.String())
			fits(t, images)
		})
	}
}

type waitWriter struct {
	*httptest.ResponseRecorder
	reached, goOn chan struct{}
	waited        bool
}

func (w *waitWriter) Write(p []byte) (int, error) {
	if !w.waited {
		w.waited = true
		close(w.reached)
		<-w.goOn
	}
	return w.ResponseRecorder.Write(p)
}

// Uploads that nobody ends make room after an hour, if it is needed.
func TestIdleUploads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		images := imageregistry.New(imageregistry.AllowAll, imageregistry.WithMaxBytes(room))
		content := strings.Repeat("y", room/4)
		left, used := startUpload(t, images, "a"), startUpload(t, images, "b")
		require.Equal(t, http.StatusAccepted, do(images, http.MethodPatch, left, content).Code)
		require.Equal(t, http.StatusAccepted, do(images, http.MethodPatch, used, content).Code)
		whole := func() answer {
			return do(images, http.MethodPost, "/v2/c/blobs/uploads/?digest="+sha256Of(content), content)
		}
		full(t, whole())
		time.Sleep(59 * time.Minute)
		require.Equal(t, http.StatusAccepted, do(images, http.MethodPatch, used, "z").Code)
		full(t, whole())
		require.Equal(t, http.StatusNoContent, do(images, http.MethodGet, left, "").Code)
		time.Sleep(24 * time.Hour)
		require.Equal(t, http.StatusAccepted, do(images, http.MethodPatch, used, "z").Code)
		require.Equal(t, http.StatusNoContent, do(images, http.MethodGet, left, "").Code, "room isn't needed yet")
		require.Equal(t, http.StatusCreated, whole().Code)
		require.JSONEq(t, `{"repositories":["b","c"]}`, do(images, http.MethodGet, "/v2/_catalog", "").Body.String())
		require.Equal(t, http.StatusNotFound, do(images, http.MethodGet, left, "").Code)
		require.Equal(t, http.StatusNoContent, do(images, http.MethodGet, used, "").Code)

		w := httptest.NewRecorder()
		images.ServeHTTP(w, httptest.NewRequest(http.MethodPatch, used, io.MultiReader(strings.NewReader("z"), sleeper(2*time.Hour))))
		require.Equal(t, http.StatusAccepted, w.Code)
		full(t, do(images, http.MethodPut, "/v2/d/manifests/latest", content+content, "Content-Type", imageType))
		require.Equal(t, http.StatusNoContent, do(images, http.MethodGet, used, "").Code, "a slow chunk has just come")
	})
}

// sleeper is the end of a body that takes its time.
type sleeper time.Duration

func (s sleeper) Read([]byte) (int, error) {
	time.Sleep(time.Duration(s))
	return 0, io.EOF
}

// Where room is made for the very last that is needed, what is written then isn't lost: neither in the idle upload's repository nor in a new one. An
// upload that goes on is none of those that make room.
func TestRoomIsMade(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"idle", "new"} {
		for _, kind := range []string{"blob", "manifest", "chunk"} {
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					images := imageregistry.New(imageregistry.AllowAll, imageregistry.WithMaxBytes(room))
					left := startUpload(t, images, "idle")
					require.Equal(t, http.StatusAccepted, do(images, http.MethodPatch, left, strings.Repeat("y", 2048)).Code)
					going := ""
					if kind == "chunk" {
						going = startUpload(t, images, name)
					}
					time.Sleep(24 * time.Hour)
					content := `{"x":"` + strings.Repeat("z", 4988) + `"}`
					digest := sha256Of(content)
					switch kind {
					case "blob":
						pushBlob(t, images, name, content)
						require.Equal(t, content, do(images, http.MethodGet, "/v2/"+name+"/blobs/"+digest, "").Body.String())
					case "manifest":
						pushManifest(t, images, name, "latest", content, imageType)
						require.Equal(t, content, do(images, http.MethodGet, "/v2/"+name+"/manifests/latest", "").Body.String())
					case "chunk":
						content += " " + content[:100]
						require.Equal(t, http.StatusAccepted, do(images, http.MethodPatch, going, content).Code)
						require.Equal(t, fmt.Sprintf("0-%d", len(content)-1), do(images, http.MethodGet, going, "").Header().Get("Range"))
					}
					require.Equal(t, http.StatusNotFound, do(images, http.MethodGet, left, "").Code)
					images.DeleteRepository(name)
					fits(t, images)
				})
			})
		}
	}
}
