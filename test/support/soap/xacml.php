<?php
// A PDP behind PHP's SoapServer: XACML 2.0 or 3.0 (XACML_VERSION) in SAML. The sender says what it answers.

const SAML = 'urn:oasis:names:tc:SAML:2.0:';
const STRING = 'http://www.w3.org/2001/XMLSchema#string';
const CATEGORY = 'urn:oasis:names:tc:xacml:3.0:attribute-category:';

const VERSIONS = [
    '3.0' => [
        'context' => 'urn:oasis:names:tc:xacml:3.0:core:schema:wd-17',
        'policy' => 'urn:oasis:names:tc:xacml:3.0:core:schema:wd-17',
        'statement' => 'urn:oasis:names:tc:xacml:3.0:profile:saml2.0:v2:schema:assertion:wd-14',
    ],
    '2.0' => [
        'context' => 'urn:oasis:names:tc:xacml:2.0:context:schema:os',
        'policy' => 'urn:oasis:names:tc:xacml:2.0:policy:schema:os',
        'statement' => 'urn:oasis:xacml:2.0:saml:assertion:schema:os',
    ],
];

function listOf(mixed $value): array
{
    return is_array($value) ? $value : [$value];
}

/** The attributes of a question as category => id => value; those that are no strings are left out. */
function attributesOf(object $request): array
{
    $found = [];
    $categories = getenv('XACML_VERSION') === '3.0'
        ? array_column(array_map(fn($one) => [$one->Category, $one], listOf($request->Attributes)), 1, 0)
        : [
            listOf($request->Subject)[0]->SubjectCategory => listOf($request->Subject)[0],
            CATEGORY . 'resource' => $request->Resource,
            CATEGORY . 'action' => $request->Action,
        ];
    foreach ($categories as $category => $attributes) {
        foreach (listOf($attributes->Attribute) as $attribute) {
            $value = $attribute->AttributeValue;
            $type = is_object($value) ? $value->DataType : $attribute->DataType;
            if ($type !== STRING) continue;
            $found[$category][$attribute->AttributeId] = is_object($value) ? $value->_ : $value;
        }
    }
    return $found;
}

final class Pdp
{
    public function XACMLAuthzDecisionQuery(object $query): SoapVar
    {
        $version = VERSIONS[getenv('XACML_VERSION')];
        $attributes = attributesOf($query->Request);
        $subject = $attributes['urn:oasis:names:tc:xacml:1.0:subject-category:access-subject'];
        $user = $subject['urn:pfxbridge:sasl-username'] ?? '';
        $sender = $subject['urn:pfxbridge:sender'] ?? '';
        $recipient = $attributes[CATEGORY . 'resource']['urn:oasis:names:tc:xacml:1.0:resource:resource-id'];
        $action = $attributes[CATEGORY . 'action']['urn:oasis:names:tc:xacml:1.0:action:action-id'];
        if ($query->Issuer !== 'https://mx1.example.com' || $action !== 'rcpt') {
            return self::response('Requester', '');
        }
        $case = strstr($sender, '@', true);
        $decision = match (true) {
            $case === 'fault' => throw new SoapFault('Server', 'no policy store'),
            $case === 'responder' => null,
            $case === 'indeterminate' => self::result('Indeterminate', 'processing-error'),
            $case === 'incomplete' => self::result('Indeterminate', 'missing-attribute'),
            $case === 'nobody' => self::result('NotApplicable', 'ok'),
            $case === 'archived' => self::result('Permit', 'ok', $version['policy']),
            // The smallest policy: who logged in may write to anybody, others to our own domain.
            $user !== '' || str_ends_with($recipient, '@example.org') => self::result('Permit', 'ok'),
            default => self::result('Deny', 'ok'),
        };
        return $decision === null
            ? self::response('Responder', '')
            : self::response('Success', self::statement($version, $decision, $case === 'typed'));
    }

    private static function result(string $decision, string $code, string $obligations = ''): string
    {
        $status = "<c:Status><c:StatusCode Value=\"urn:oasis:names:tc:xacml:1.0:status:$code\"/></c:Status>";
        $fulfil = getenv('XACML_VERSION') === '2.0' ? ' FulfillOn="Permit"' : '';
        $more = $obligations === '' ? '' : "<o:Obligations xmlns:o=\"$obligations\"><o:Obligation"
            . " ObligationId=\"urn:example:archive\"$fulfil/></o:Obligations>";
        return "<c:Result><c:Decision>$decision</c:Decision>$status$more</c:Result>";
    }

    /** As an element of its own name, or as a Statement of that type. */
    private static function statement(array $version, string $result, bool $typed): string
    {
        $name = $typed ? 'saml:Statement' : 'x:XACMLAuthzDecisionStatement';
        $type = $typed ? ' xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="x:XACMLAuthzDecisionStatementType"' : '';
        return '<saml:Assertion xmlns:saml="' . SAML . 'assertion" ID="_a" Version="2.0"'
            . ' IssueInstant="2026-01-01T00:00:00Z"><saml:Issuer>https://pdp.example.com</saml:Issuer>'
            . "<$name xmlns:x=\"{$version['statement']}\"$type>"
            . "<c:Response xmlns:c=\"{$version['context']}\">$result</c:Response></$name></saml:Assertion>";
    }

    private static function response(string $status, string $assertion): SoapVar
    {
        $xml = '<p:Response xmlns:p="' . SAML . 'protocol" ID="_r" Version="2.0" IssueInstant="2026-01-01T00:00:00Z">'
            . '<p:Status><p:StatusCode Value="' . SAML . "status:$status\"/></p:Status>$assertion</p:Response>";
        return new SoapVar($xml, XSD_ANYXML);
    }
}

$server = new SoapServer(getenv('WSDL'), ['soap_version' => SOAP_1_1, 'cache_wsdl' => WSDL_CACHE_NONE]);
$server->setClass(Pdp::class);
$server->handle();
