<?php
// The SOAP service of the tests on PHP's SoapServer, behind WS-Security and WS-Addressing: PASSWORD is bridge's, KIND
// what it wants (text, digest), WSDL the description's path, beside which it keeps what may come only once. What is not as
// it should be is a Fault, and as PHP refuses headers that it does not understand, nothing passes unread.

final class MailAuthorization
{
    private bool $known = false;

    public function Security(object $security): void
    {
        $token = $security->UsernameToken;
        $password = is_object($token->Password) ? $token->Password->_ : $token->Password;
        $created = $token->Created ?? '';
        $nonce = isset($token->Nonce) ? (is_object($token->Nonce) ? $token->Nonce->_ : $token->Nonce) : '';
        $wanted = getenv('PASSWORD');
        if (getenv('KIND') === 'digest') {
            $wanted = base64_encode(sha1(base64_decode($nonce) . $created . $wanted, true));
            $this->once('nonce', $nonce);
        }
        if ($token->Username !== 'bridge & co' || !hash_equals($wanted, $password)) {
            throw new SoapFault('wsse:FailedAuthentication', 'not the bridge');
        }
        if ($created !== '' && abs(strtotime($created) - time()) > 60) {
            throw new SoapFault('wsse:InvalidSecurityToken', "created at $created");
        }
        if (isset($security->Timestamp) && strtotime($security->Timestamp->Expires) < time()) {
            throw new SoapFault('wsse:MessageExpired', 'too late');
        }
        $this->known = true;
    }

    public function To(string $to): void
    {
        $this->expect('To', "http://$_SERVER[HTTP_HOST]$_SERVER[REQUEST_URI]", $to);
    }

    public function Action(string $action): void
    {
        $this->expect('Action', 'urn:example:mail-authorization/Check', $action);
    }

    public function ReplyTo(object $reply): void
    {
        $this->expect('ReplyTo', 'http://www.w3.org/2005/08/addressing/anonymous', $reply->Address);
    }

    public function MessageID(string $id): void
    {
        $this->once('MessageID', $id);
    }

    public function Check(object $request): array
    {
        if (!$this->known) {
            throw new SoapFault('wsse:InvalidSecurity', 'who are you?');
        }
        if ($request->Sender === 'twice@example.net' && !file_exists(dirname(getenv('WSDL')) . '/twice')) {
            touch(dirname(getenv('WSDL')) . '/twice');
            throw new SoapFault('Server', 'not just now');
        }
        return ['Decision' => 'Permit'];
    }

    private function expect(string $what, string $wanted, string $got): void
    {
        if ($got !== $wanted) {
            throw new SoapFault('Client', "$what is $got, not $wanted");
        }
    }

    private function once(string $what, string $value): void
    {
        if ($value === '' || !@mkdir(dirname(getenv('WSDL')) . "/$what-" . md5($value))) {
            throw new SoapFault('Client', "the $what is missing, or came before");
        }
    }
}

if (isset($_GET['wsdl'])) {
    exit;
}
$server = new SoapServer(getenv('WSDL'), ['cache_wsdl' => WSDL_CACHE_NONE]);
$server->setClass(MailAuthorization::class);
$server->handle();
