// Answers for go-sev-guest, Google's verifier of SEV-SNP reports: one JSON request a line in, one JSON verdict a line out.
package main

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/kds"
	"github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/validate"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"
)

type request struct {
	// Report, ARK, ASK or ASVK, VCEK or VLEK, in hex.
	Parts   []string `json:"parts"`
	Root    string   `json:"root"`
	Product string   `json:"product"`
	Now     int64    `json:"now"`
}

type verdict struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

func judge(ask request) (err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			err = fmt.Errorf("panic: %v", trouble)
		}
	}()
	parts := make([][]byte, len(ask.Parts))
	for at, part := range ask.Parts {
		if parts[at], err = hex.DecodeString(part); err != nil {
			return err
		}
	}
	root, err := hex.DecodeString(ask.Root)
	if err != nil {
		return err
	}
	if len(parts) != 4 || !bytes.Equal(parts[1], root) {
		return errors.New("not the root")
	}
	if len(parts[0]) != abi.ReportSize {
		return errors.New("size")
	}
	report, err := abi.ReportToProto(parts[0])
	if err != nil {
		return err
	}
	signer, err := abi.ParseSignerInfo(report.SignerInfo)
	if err != nil {
		return err
	}
	ark, err := x509.ParseCertificate(parts[1])
	if err != nil {
		return err
	}
	intermediate, err := x509.ParseCertificate(parts[2])
	if err != nil {
		return err
	}
	certificates := &trust.ProductCerts{Ark: ark}
	chain := &sevsnp.CertificateChain{ArkCert: parts[1]}
	if signer.SigningKey == abi.VlekReportSigner {
		certificates.Asvk, chain.VlekCert = intermediate, parts[3]
	} else {
		certificates.Ask, chain.AskCert, chain.VcekCert = intermediate, parts[2], parts[3]
	}
	product, err := kds.ParseProductLine(ask.Product)
	if err != nil {
		return err
	}
	attestation := &sevsnp.Attestation{Report: report, CertificateChain: chain, Product: product}
	roots := &trust.AMDRootCerts{Product: ask.Product, ProductLine: ask.Product, ProductCerts: certificates}
	if err := verify.SnpAttestation(attestation, &verify.Options{
		Now:                 time.Unix(ask.Now, 0),
		DisableCertFetching: true,
		TrustedRoots:        map[string][]*trust.AMDRootCerts{ask.Product: {roots}},
	}); err != nil {
		return err
	}
	// What go-sev-guest calls validation holds two of our checks: patch levels and chip of the certificate.
	vmpl := 0
	return validate.SnpAttestation(attestation, &validate.Options{
		GuestPolicy:               abi.SnpPolicy{SMT: true, CXLAllowed: true},
		VMPL:                      &vmpl,
		PermitProvisionalFirmware: true,
	})
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var ask request
		err := json.Unmarshal(lines.Bytes(), &ask)
		if err == nil {
			err = judge(ask)
		}
		answer := verdict{OK: err == nil}
		if err != nil {
			answer.Error = err.Error()
		}
		if out.Encode(answer) != nil {
			return
		}
	}
}
