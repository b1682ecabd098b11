<?php
// Style rpc, by the description that is given: literal or encoded, as its binding says.

final class Authorization
{
    public function isAllowed(string $user, string $from, int $size): bool
    {
        return $from === 'alice@example.net';
    }
}

$server = new SoapServer(getenv('WSDL'), ['cache_wsdl' => WSDL_CACHE_NONE]);
$server->setClass(Authorization::class);
$server->handle();
