<?php
// The rpc/encoded SOAP service of the tests on PHP's SoapServer: SOAP_VERSION is 1.1 or 1.2. PHP refers to an object
// where it comes for the second time.

final class MailAuthorization
{
    public function check($user, $sender, $recipient, $clientAddress, $clientName): object
    {
        if ($sender === 'fault@example.net') {
            throw new SoapFault(getenv('SOAP_VERSION') === '1.2' ? 'Sender' : 'Client', 'no such account');
        }
        if ($sender === 'alice@example.net') {
            return (object) ['verdict' => 'Permit'];
        }
        $reason = (object) ['text' => "$sender may not write to $recipient"];
        return (object) ['log' => $reason, 'reason' => $reason, 'verdict' => 'Deny'];
    }
}

$server = new SoapServer(null, [
    'uri' => 'urn:example:mail-authorization',
    'soap_version' => getenv('SOAP_VERSION') === '1.2' ? SOAP_1_2 : SOAP_1_1,
]);
$server->setClass(MailAuthorization::class);
$server->handle();
