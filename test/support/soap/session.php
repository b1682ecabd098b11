<?php
// The SOAP service of the tests on PHP's SoapServer, behind a login of its own: at ?login a service without description,
// whose `login` gives the id of a session, and at the path itself one whose calls show that in a SessionHeader, else they
// are a Fault. PASSWORD is bridge's, WSDL the description's path, beside which sessions are kept; ?end ends them all.

const NAMESPACE_OF_SESSIONS = 'urn:example:session';

function sessionFile(string $id): string
{
    return dirname(getenv('WSDL')) . '/session-' . bin2hex($id);
}

final class Login
{
    public function login(string $user, string $password): array
    {
        if ($user !== 'bridge & co' || !hash_equals(getenv('PASSWORD'), $password)) {
            throw new SoapFault('Client', 'INVALID_LOGIN: unknown user or password');
        }
        $id = '00D!' . bin2hex(random_bytes(12)) . '&<x>';
        touch(sessionFile($id));
        return ['sessionId' => $id, 'sessionSecondsValid' => 7200];
    }
}

final class MailAuthorization
{
    private bool $known = false;

    public function SessionHeader(object $header): void
    {
        $this->known = file_exists(sessionFile($header->sessionId));
    }

    public function Check(object $request): array
    {
        if (!$this->known) {
            throw new SoapFault('INVALID_SESSION_ID', 'INVALID_SESSION_ID: the session is unknown, or has ended');
        }
        return ['Decision' => 'Permit'];
    }
}

if (isset($_GET['wsdl'])) {
    exit;
}
if (isset($_GET['end'])) {
    array_map('unlink', glob(dirname(getenv('WSDL')) . '/session-*'));
    exit;
}
$isLogin = isset($_GET['login']);
$server = $isLogin
    ? new SoapServer(null, ['uri' => NAMESPACE_OF_SESSIONS])
    : new SoapServer(getenv('WSDL'), ['cache_wsdl' => WSDL_CACHE_NONE]);
$server->setClass($isLogin ? Login::class : MailAuthorization::class);
$server->handle();
